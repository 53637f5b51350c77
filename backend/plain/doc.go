// Package plain turns messages into files that people and other programs read,
// and files into messages.
//
// Going out there are four formats. [NDJSON] has a message on each line, [JSON] is
// one array, [Raw] is the bytes of text and binary streams one after the other,
// and [CSV] tells about messages without their content. JSON messages keep their
// bytes: numbers keep their digits. Only line ends between the tokens of a message
// become spaces in NDJSON, where they would end the line.
//
// Coming in there are NDJSON, JSON arrays and raw bytes. A file is always cut into
// the same appends, so that numbering them makes an import idempotent.
//
// Everything is streamed: memory is that of one message or one append. The package
// starts no goroutines.
package plain
