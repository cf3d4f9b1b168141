"""The node rules, one file each, found by its presence. A file beside these is a rule; machinery/ has what they share."""
