"""Call a model that is hosted elsewhere, by an address or by the model's name on the hub.

`hosting` is the way in. `calls` and what it is made of load the HTTP libraries; the first call imports them.
"""
