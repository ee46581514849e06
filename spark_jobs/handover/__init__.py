"""What goes to the performance platform and what comes back: extracts of the published marts, and staff relations as a delivery."""
