"""One step of a conversation as a pure function: position and event in, position and effects out."""
