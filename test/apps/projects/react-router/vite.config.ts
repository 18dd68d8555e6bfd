/** As the template has it. */
import { reactRouter } from '@react-router/dev/vite'
import { defineConfig } from 'vite'

export default defineConfig(({ isSsrBuild }) => ({
  build: { rollupOptions: isSsrBuild ? { input: './server/app.ts' } : undefined },
  plugins: [reactRouter()],
}))
