"""What users and the public are told: services, incidents, maintenance, status pages."""
