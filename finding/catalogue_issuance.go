package finding

func issuanceEntries() []Entry {
	return []Entry{
		{
			IssuanceRateLimit, "a certificate authority's limit is nearly or fully used",
			"Let's Encrypt issues 5 certificates for exactly the same set of names, and gives one back each 33.6 hours; revoking gives none back. It is counted from the certificates that were seen served, so there can have been more. When it is used up the next order is refused, and the server falls back to a placeholder certificate. An Order of cert-manager that was refused says so itself, and until when; its certificates survive restarts, so that is a warning.",
			"Stop what orders again. Until the moment that the finding names, use a certificate that is left, or order one with one more name in it: that is another set, with a budget of its own.",
			"https://letsencrypt.org/docs/rate-limits/",
		},
		{
			IssuanceReissueLoop, "certificates are ordered again and again",
			"At least two certificates for the same names were replaced within a week, long before their renewal was due. Usually the client of the authority loses its store at each restart. Nobody notices until the authority refuses.",
			"See where the ACME client keeps its certificates, and put a volume there that survives a restart.",
			"RFC 9773 section 4.2",
		},
		{
			IssuanceEphemeralStorage, "an ACME client keeps its certificates where a restart loses them",
			"Traefik keeps its certificates in one file (acme.storage), Caddy in a folder. Here that place is on a volume that goes with the pod, that cannot be written to, or on none; or several pods have it. Then each restart orders all certificates again, until the authority refuses (issuance/rate-limit). What lies over the path decides: the mount with the longest path wins over any claim below it.",
			"Mount a PersistentVolumeClaim there, with one pod that writes to it. With Traefik's chart: persistence.enabled=true, and nothing else mounted at the same place.",
			"https://doc.traefik.io/traefik/reference/install-configuration/tls/certificate-resolvers/acme/",
		},
		{
			IssuanceUnexpectedIssuer, "a certificate was issued by an unexpected authority",
			"The configuration names the authorities that certificates come from (certificates.authorities), and this one is from another.",
			"Ask who ordered it. If nobody did, revoke it, and publish CAA records that name your authorities.",
			"RFC 8659",
		},
		{
			IssuanceLogUnread, "a source of Certificate Transparency could not be read",
			"SSLMate's service or a log (certificates.ct) failed, answered nothing, is too slow to be read to the end, or showed a tree that does not agree with what it signed before. What it would have said is unknown and not zero: certificates are counted from the other sources, so there can have been more. Unknown if the last complete answer is older than six hours, else only worth knowing.",
			"Do what the finding says: key, limit, URL. A log that contradicts its own signature is a matter for who runs it: keep the state file, its last checkpoint is in it.",
			"RFC 6962 section 5.4; https://c2sp.org/static-ct-api",
		},
	}
}
