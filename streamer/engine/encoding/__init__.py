"""Encoders as child processes that never make us wait, and Ogg pages out of their bytes."""

from streamer.engine.encoding.arguments import Codec, encoder_arguments
from streamer.engine.encoding.encoder_process import EncoderProcess
from streamer.engine.encoding.pages import PageBytes, PageSplitter

__all__ = ["Codec", "EncoderProcess", "PageBytes", "PageSplitter", "encoder_arguments"]
