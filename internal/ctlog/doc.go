// Package ctlog reads Certificate Transparency as a second source of which certificates
// were issued: SSLMate's search service for the public logs, and single logs that serve
// the Static CT API (c2sp.org/static-ct-api), as a private authority may run one.
//
// It reads only, seldom and politely, and judges nothing: what it brings is an
// issuance.Reading. A source that fails, lies or answers nothing is unknown and never
// zero. No answer is believed further than its size, and no key appears in a text.
package ctlog
