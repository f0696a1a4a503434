"""What engines that talk to a server share: pooled connections, retries, patience."""
