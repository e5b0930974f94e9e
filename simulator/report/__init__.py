"""What people see of a run: text, live lines, stories."""
