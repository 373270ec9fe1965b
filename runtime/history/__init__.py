"""What the journal tells of conversations, for people: one turn explained, and many counted."""
