"""Payment gateways: one module for each, all behind the protocol of gateway.py."""
