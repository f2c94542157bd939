package finding

func tlsEntries() []Entry {
	return []Entry{
		{
			TLSExpired, "the certificate has expired",
			"A certificate on the path that clients verify is past its end. The finding says which one of the chain.",
			"Renew it; if the client of the certificate authority says that it did, reload the server that presents it.",
			"RFC 5280 section 4.1.2.5",
		},
		{
			TLSExpiring, "the certificate ends soon",
			"Less than a third of the certificate's lifetime is left on the path that clients verify. A working renewal happens before that.",
			"Find out why the renewal did not happen: the ACME client's log names the refusal.",
			"RFC 5280 section 4.1.2.5",
		},
		{
			TLSNotYetValid, "the certificate is not valid yet",
			"A certificate on the path begins in the future. Either it was deployed too early, or a clock is wrong. If the server's Date header and our clock are more than five minutes apart the finding says so, and whose is likelier wrong.",
			"Compare the clock of the machine that issued it, and of this one.",
			"RFC 5280 section 4.1.2.5",
		},
		{
			TLSNameMismatch, "the certificate is for other names",
			"The certificate presented for this name does not cover it. Clients refuse it. A wildcard covers one label only.",
			"Order a certificate with this name, or mend the rule that chooses the certificate for it.",
			"RFC 9525 section 6.3",
		},
		{
			TLSUntrusted, "the certificate leads to no trusted root",
			"No path from the presented certificate to a trusted root was found: the authority is unknown or private, a certificate on the way must not sign, or the wrong one was sent. A chain that lacks an intermediate is tls/incomplete-chain where that can be told.",
			"Present the full chain (fullchain.pem). For a private authority set tls.ca_file.",
			"RFC 5280 section 6; RFC 8446 section 4.4.2",
		},
		{
			TLSSelfSigned, "the certificate is self-signed",
			"The server presents a certificate that it signed itself. Clients refuse it.",
			"Install a certificate from an authority. For a private one set tls.ca_file.",
			"RFC 5280 section 3.2",
		},
		{
			TLSDefaultCertificate, "the ingress controller presents its placeholder certificate",
			"The certificate is the one that an ingress controller makes for itself when it has none for the name (TRAEFIK DEFAULT CERT, Kubernetes Ingress Controller Fake Certificate, cert-manager's temporary certificate, Caddy's own local authority). The real one was never issued, was lost, or the order was refused, often by Let's Encrypt's limit on identical certificates.",
			"Read the controller's log for the ACME error. If certificates are lost at restarts, keep them on a volume that survives (acme.json on a PersistentVolumeClaim) before ordering again.",
			"Let's Encrypt: rate limits; Traefik: default certificate",
		},
		{
			TLSHandshake, "the TLS handshake fails",
			"The peer accepts connections but the handshake does not complete: an alert, another protocol on the port, or a hang-up.",
			"Try openssl s_client -connect ADDRESS:PORT -servername HOST. An alert unrecognized_name or handshake_failure: the server has no certificate for the name. A hang-up without a word: it may expect PROXY protocol.",
			"RFC 8446 section 6",
		},
		{
			TLSAccepted, "the certificate does not have the fault that it is meant to have",
			"The target has expect.tls, and none of the faults named there is found: the certificate was replaced, or clients accept what they should refuse.",
			"Take expect.tls away, or restore the certificate that is meant to be refused.",
			"RFC 5280 section 6",
		},
		{
			TLSIncompleteChain, "an intermediate certificate is missing",
			"The server sends its certificate without that of the authority which signed it, so that clients find no way to a trusted root. Browsers hide it: they remember intermediates, or fetch them from where the certificate says (AIA); curl, Go, Java and most mobile apps fail. It is recognised by the certificate naming its issuer's place of publication while the issuer is neither sent nor trusted; with tls.aia: true the certificate is fetched from there, and the finding says whether the chain holds with it.",
			"Install the whole chain (fullchain.pem instead of cert.pem). If the issuer is a private root, name it in tls.ca_file.",
			"RFC 8446 section 4.4.2; RFC 5280 section 4.2.2.1",
		},
		{
			TLSStagingCertificate, "the certificate is from an authority for tests",
			"The certificate was issued by Let's Encrypt's staging environment, or by pebble. No client trusts these. It happens when the ACME client was set up with the staging directory and not switched over, or keeps the certificate from then.",
			"Set the ACME client's directory to production, delete the certificate it has stored (it may not order a new one before that), and order.",
			"Let's Encrypt: staging environment",
		},
		{
			TLSWeak, "a key or signature is too weak",
			"A key on the path that clients verify is RSA with less than 2048 bits, or on a curve of less than 256; or a signature on it, the root's own not counted, is made with SHA-1 or MD5. Browsers and current systems refuse these.",
			"Make a new key and order the certificate anew; install the chain that comes with it.",
			"CA/Browser Forum baseline requirements section 6.1.5; RFC 9155; RFC 8017",
		},
		{
			TLSProtocol, "the server speaks only TLS versions that clients refuse",
			"Offered TLS 1.0 to 1.3, the server took 1.0 or 1.1, or none of them. Browsers and most libraries speak 1.2 and newer only.",
			"Enable TLS 1.2 and 1.3.",
			"RFC 8996",
		},
		{
			TLSClientCertificate, "the server demands a client certificate",
			"The server asked for a client certificate, was told that there is none, and refused: with a TLS alert, or with HTTP 400 as nginx does. If clients have certificates that is right, and the probe needs one.",
			"Give the probe a client certificate, or expect the status (expect.status). If no client has one, switch the demand off.",
			"RFC 8446 sections 4.3.2 and 6.2",
		},
		{
			TLSRevoked, "the certificate was revoked",
			"The authority has revoked the certificate: its revocation list says so, or an OCSP response that the server itself sends along (stapled). Its signature was verified. Browsers learn it from their own lists, so that some clients fail before others. Lists are fetched only for certificates that lead to a trusted root, see docs/tls.md; one that cannot be had is no finding.",
			"Order a new certificate, with a new key if the old one may be known to others, and find out who revoked it: Let's Encrypt also does so when certificates were issued wrongly, with a mail before.",
			"RFC 5280 section 5; RFC 6960; RFC 6066 section 8",
		},
		{
			TLSBadStaple, "the OCSP response sent with the certificate is missing or bad",
			"The certificate demands that an OCSP response is sent along (must-staple) and there is none; or there is one that has ended, is not about this certificate, or is not signed by its authority. Firefox refuses such a connection, other clients do not.",
			"Mend the stapling of the server, which fetches the response from the authority by itself, or order a certificate without must-staple. Let's Encrypt has ended OCSP.",
			"RFC 7633; RFC 6066 section 8; RFC 6960",
		},
		{
			TLSDiffers, "the addresses of a host present different certificates",
			"Each address presents a certificate that clients accept, but not the same. While a renewal spreads, or where two providers serve a name, that is as it should be: information. It is a warning if an address still presents a certificate that is due for renewal while another has the renewed one already: a server was not reloaded, and will be the one that fails.",
			"Reload or deploy the server that has the old certificate. If each makes its own certificate, look at the authority's limit on identical ones.",
			"RFC 5280 section 4.1.2.5",
		},
	}
}
