"""Flask and Socket.IO API, console pages."""
