"""Start Tandem: read .env and ASYNC_MODE, monkey-patch, then build and serve. No logic in here.

The patch must come before anything else is imported; that is why the order of this file is what it
is. The parent of several processes serves nothing, and is not patched.
"""

import os
import sys
import warnings

from dotenv import find_dotenv, load_dotenv

GIVEN = dict(os.environ)  # each of several processes reads .env anew
load_dotenv(find_dotenv(usecwd=True))  # what is in the environment already counts more
if os.environ.get("WORKERS", "").strip() not in {"", "1"} and "TANDEM_PLACE" not in os.environ:
    from app.parent import main as look_after

    sys.exit(look_after(GIVEN))
MODE = os.environ.get("ASYNC_MODE", "").strip() or "eventlet"
# eventlet is in maintenance, and says so at import; docs/architecture.md has our way out.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
if MODE == "eventlet":
    import eventlet

    eventlet.monkey_patch()
elif MODE == "gevent":
    try:
        from gevent import monkey
    except ImportError:
        sys.exit("ASYNC_MODE=gevent needs gevent: .venv/bin/pip install -r requirements-gevent.txt")
    monkey.patch_all()

from app.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
