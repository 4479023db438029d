"""What is heard live, and how soon, measured."""
