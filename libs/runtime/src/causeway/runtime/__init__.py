"""What every service process has: settings from the environment, logs, metrics, traces, signals."""
