"""The rules of escalation: one module for each kind of stream, each with its state diagram on top.

`escalation` climbs the levels of one alert; `policy` and `schedule` are the configuration that it climbs by.
"""
