import reactHooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

const amounts = 'loses digits of an amount: use bigint and format/amounts'

export default tseslint.config(
  { ignores: ['node_modules', 'src/api/schema.d.ts'] },
  {
    files: ['src/**/*.{ts,tsx}', 'build/**/*.ts', 'vite.config.ts'],
    extends: [tseslint.configs.recommendedTypeChecked, reactHooks.configs.flat['recommended-latest']],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      'no-restricted-globals': ['error', { name: 'parseFloat', message: amounts }, { name: 'parseInt', message: amounts }],
      'no-restricted-syntax': [
        'error',
        { selector: "CallExpression[callee.name='Number']", message: `Number() ${amounts}` },
        { selector: "CallExpression[callee.object.name='Number'][callee.property.name=/^parse/]", message: `It ${amounts}` },
        { selector: "UnaryExpression[operator='+']", message: `Unary + ${amounts}` },
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: 'no HTML of others' },
      ],
    },
  },
)
