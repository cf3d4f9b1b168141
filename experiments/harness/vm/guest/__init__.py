"""What runs inside the guest: the file of the initramfs, PID 1, and the agent that runs the command. Stdlib only."""
