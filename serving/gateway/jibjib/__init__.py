"""The API of JibJib (github.com/gojibjib): the same paths, envelope and pooling, so that its app works unchanged."""
