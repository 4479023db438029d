"""Alerts: a class was heard often enough, or a microphone is dead or clips (docs/alerts.md)."""

from streamer.analyzer.alerts.alert import Alert
from streamer.analyzer.alerts.alerts import Alerts
from streamer.analyzer.alerts.channel_state import ChannelState, Condition
from streamer.analyzer.alerts.rules import AlertRule, load_alert_rules

__all__ = ["Alert", "AlertRule", "Alerts", "ChannelState", "Condition", "load_alert_rules"]
