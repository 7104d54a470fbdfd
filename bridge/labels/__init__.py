"""What an owner may write on a service."""
