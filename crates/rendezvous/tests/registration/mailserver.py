"""A mail server as operators have them: TLS from the start or by STARTTLS, and no mail without a login.

mailserver.py starttls|implicit PORT CERTIFICATE KEY: prints its port (0: any), then one JSON object for each mail it took.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Taker:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        if address.startswith("later@"):
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode(),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "login": session.auth_data.decode(),
        }
        print(json.dumps(mail), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"goop@example.org", b"mail password")
    return AuthResult(success=right, handled=right, auth_data=data.login)


async def main(mode, port, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    implicit = mode == "implicit"

    def connection():
        return SMTP(
            Taker(),
            hostname="mail.example.org",
            authenticator=authenticate,
            auth_required=True,
            # What is TLS from the start is not known to the protocol, and need not be asked for.
            auth_require_tls=not implicit,
            tls_context=None if implicit else context,
            require_starttls=not implicit,
        )

    server = await asyncio.get_running_loop().create_server(
        connection, "127.0.0.1", int(port), ssl=context if implicit else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
