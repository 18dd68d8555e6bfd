// Loads an app file and says what it exports as `app`.
import { loadApp } from '../../../dist/src/cli/load/app-file.js'

const { app } = await loadApp(process.argv[2], { listen: 'app', followed: false, tell() {} })
console.log(`exports ${app}`)
process.exit()
