// Package bucket stores files by key: in a folder, or in a bucket that speaks S3.
//
// # Guarantees
//
//   - A [Bucket.Put] that returns nil has stored the whole file durably; one that
//     fails or is cancelled leaves nothing under its key.
//   - A failure says what is wrong as a *[Error]: the name is not known, the keys
//     are wrong, there is no such bucket. Secrets are in none of them.
//
// It owns no goroutines beyond calls.
package bucket
