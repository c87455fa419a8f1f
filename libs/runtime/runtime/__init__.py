"""The machinery every service stands on: ledger, relay, subscriptions, ticks, gates, deliveries."""
