"""The four kinds of streams that accounts decides on: users, teams, API keys, sessions. All of it is pure."""
