/** The fields of an entry, as texts. */
import type { ShownField } from '../shown-fields.js'

export const Fields = ({ fields }: { readonly fields: readonly ShownField[] }) => (
  <dl class="fields">
    {fields.map(({ name, type, text, isCut }) => (
      <div key={name}>
        <dt>
          {name} <small>{type}</small>
        </dt>
        <dd>
          <code>{text}</code>
          {isCut && <small> …</small>}
        </dd>
      </div>
    ))}
  </dl>
)
