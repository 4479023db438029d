"""The embedded model server: TensorFlow Serving's gRPC services over the model repository."""
