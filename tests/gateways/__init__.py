"""Payment providers in small: servers on 127.0.0.1 that speak their documented wire shapes and sign
as they do. Gateways are pointed at them by `api_url`.
"""
