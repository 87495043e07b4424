"""Whether, when and how a stream is joined."""
