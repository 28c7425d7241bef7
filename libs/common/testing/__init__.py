"""What tests share. Nothing else may import this package; lint keeps it so."""

from libs.common.testing.clocks import FakeClock
from libs.common.testing.ports import free_port
from libs.common.testing.recorders import LogRecorder, recorded_logs, recorded_spans
from libs.common.testing.requirements import require

__all__ = ["FakeClock", "LogRecorder", "free_port", "recorded_logs", "recorded_spans", "require"]
