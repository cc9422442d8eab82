"""The store to scale out: any number of servers on one PostgreSQL database."""
