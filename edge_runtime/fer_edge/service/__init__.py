"""The service: user, environment, configuration, model and units of systemd, put in place and taken away.

What happens is a sequence of steps (`steps`), each of which looks first whether there is anything to do. `layout` says
where things are; the folder `systemd` in it is a link to that of the checkout.
"""
