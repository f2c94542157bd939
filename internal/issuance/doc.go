// Package issuance watches how certificates come to be: which were issued for the same
// set of names, what is left of the authority's limits, and whether the client that orders
// them keeps them where a restart loses them. That is how outages begin days before
// anybody sees one: each restart orders again, until the authority refuses.
//
// It counts what was seen served, which is at least what was issued. It is pure.
package issuance
