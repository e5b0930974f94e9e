"""Where a run happens: the sandbox and what lies in it, the machine below, the privileges given up."""
