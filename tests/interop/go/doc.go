// Package interop holds the judges of the field's own Go clients: go-spiffe on the Workload API and
// SPIRE's API client on the server. The tests beside them start finial and run them.
package interop
