"""Conversations: what a caller asks, whose it is, and the live object that answers."""

from app.chats.chat_interface import ChatInterface
from app.chats.request import ChatRequest

__all__ = ["ChatInterface", "ChatRequest"]
