"""Who may send requests: keys, web sites, host names."""

from pathlib import Path

from pydantic import BaseModel, Field, PrivateAttr, SecretStr, field_validator

from app.settings.text_types import ApiKeys, HostNames, Origins, parse_keys, parts, read_keys


class AccessSettings(BaseModel):
    api_keys: ApiKeys = Field(
        SecretStr(""),
        description="API keys, separated by commas; a request must carry one of them. Empty: no key is"
        " needed, unless the file of API keys has one. Keys on the command line are visible to other users of"
        " the machine.",
    )
    api_keys_file: Path | None = Field(
        None, description="File of further API keys, one per line; read once at the start."
    )
    cors_origins: Origins = Field(
        "",
        description="Origins of other web sites whose pages may read the responses, such as"
        " `https://example.org`, separated by commas. `*`: all. Empty: none.",
    )
    trusted_hosts: HostNames = Field(
        "",
        description="Host names of the service, without a port, such as `example.org, *.example.org,"
        " 10.0.0.7`. A request to any other host name gets status 400, except for health checks. Empty or"
        " `*`: any host name.",
    )

    @field_validator("api_keys_file")
    @classmethod
    def _require_file_of_long_keys(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_keys(path)
        return path

    def allowed_origins(self) -> list[str]:
        return parts(self.cors_origins)

    def known_hosts(self) -> list[str]:
        """The names that the service goes by; none where it goes by any."""
        hosts = parts(self.trusted_hosts)
        return [] if "*" in hosts else hosts

    _keys: tuple[str, ...] = PrivateAttr(())

    def model_post_init(self, _: object) -> None:
        """Read the keys, once: a worker that is started later gets them with these settings.

        So it neither disagrees with the others nor is open, whatever has become of the file.
        """
        if listed := self.api_keys.get_secret_value():
            self._keys += parse_keys(listed.split(","))
        if self.api_keys_file is not None:
            self._keys += read_keys(self.api_keys_file)

    def all_keys(self) -> tuple[str, ...]:
        """The keys of both settings; none where no key is needed."""
        return self._keys
