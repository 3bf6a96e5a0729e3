"""Mail servers of aiosmtpd, started and changed by lines of JSON on standard input.

Prints a line of JSON for each server that listens, for each mail that is taken, and for each that is not.
"""
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(**members):
    print(json.dumps(members), flush=True)


class Handler:
    def __init__(self, name, answer):
        self.name = name
        self.answer = answer

    async def handle_DATA(self, server, session, envelope):
        if isinstance(self.answer, str):
            say(event="refused", name=self.name)
            return self.answer
        say(
            event="mail",
            name=self.name,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            is_encrypted=session.ssl is not None,
            login=session.authenticated,
            content=envelope.content.decode("utf-8", "replace"),
        )
        if self.answer:
            await self.fail_after_taking(server)
        return "250 2.0.0 taken"

    async def fail_after_taking(self, server):
        if "late" in self.answer:
            await asyncio.sleep(self.answer["late"])
        else:
            server.transport.abort()


def authenticate(server, session, envelope, mechanism, login):
    is_right = (login.login, login.password) == (b"me", b"s3cretMail")
    return AuthResult(success=is_right, handled=True)


servers = {}


async def command(line):
    name = line["name"]
    if line["do"] == "start":
        context = None
        if line["security"] != "plain":
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(line["certificate"], line["key"])
        handler = Handler(name, line["answer"])
        options = {"hostname": "mail.test", "loop": asyncio.get_running_loop()}
        if line["security"] == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if line["login"]:
            options |= {"authenticator": authenticate, "auth_required": True}
            # aiosmtpd knows of TLS after STARTTLS only.
            options |= {"auth_require_tls": line["security"] == "starttls"}
        server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(handler, **options),
            "127.0.0.1",
            0,
            ssl=context if line["security"] == "tls" else None,
        )
        servers[name] = (server, handler, context)
        say(event="listening", name=name, port=server.sockets[0].getsockname()[1])
    elif line["do"] == "answer":
        servers[name][1].answer = line["answer"]
        say(event="done", name=name)
    elif line["do"] == "present":
        servers[name][2].load_cert_chain(line["certificate"], line["key"])
        say(event="done", name=name)


async def main():
    loop = asyncio.get_running_loop()
    # A client that breaks off is what tests do.
    loop.set_exception_handler(lambda loop, context: None)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        await command(json.loads(line))


asyncio.run(main())
