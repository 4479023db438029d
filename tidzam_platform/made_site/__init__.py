"""A made outdoor site: deterministic recordings and labelled clips for the demo and the tests, without a network.

``voices`` holds one function a class, ``backgrounds`` what a place sounds like without them, ``scenes`` lays the ones
over the other, ``clips`` and ``recordings`` plan and make what is heard, and ``site`` writes it.
"""

from tidzam_platform.made_site.recordings import SiteEvent
from tidzam_platform.made_site.site import MadeSite, SiteSize, make_site

__all__ = ["MadeSite", "SiteEvent", "SiteSize", "make_site"]
