"""What every service process has: settings from the environment, logs, metrics and health, traces, signals."""

from causeway.runtime.process import StartRefused, run
from causeway.runtime.settings import BadSettingError, ServiceSettings, load

__all__ = ["BadSettingError", "ServiceSettings", "StartRefused", "load", "run"]
