"""The queues that are compared, ours among them: one small module each, all with the functions of ``driver.Queue``."""
