// Runs the reference server @durable-streams/server: in memory, or with its file
// store when a folder is named. Writes its address to a file once it listens.
//
//   node reference.mjs READY_FILE [FOLDER [PORT]]
import { renameSync, writeFileSync } from "node:fs"
import { DurableStreamTestServer } from "@durable-streams/server"

const [ready, dataDir, port = "0"] = process.argv.slice(2)
const server = new DurableStreamTestServer({ port: Number(port), host: "127.0.0.1", ...(dataDir && { dataDir }) })
const url = await server.start()
writeFileSync(`${ready}.tmp`, url)
renameSync(`${ready}.tmp`, ready)
