/** The routes. */
import { index, type RouteConfig, route } from '@react-router/dev/routes'

export default [
  index('routes/home.tsx'),
  route('late', 'routes/late.tsx'),
  route('form', 'routes/form.tsx'),
  route('api', 'routes/api.ts'),
] satisfies RouteConfig
