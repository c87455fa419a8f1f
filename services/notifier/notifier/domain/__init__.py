"""The rules, pure: `reach` (contacts and preferences), `page` (one person, one alert), `window` (storms), `dossier`."""
