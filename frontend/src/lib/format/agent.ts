/** What a User-Agent calls its program, empty when it has none. Browsers all call themselves Mozilla; what they are comes later. */
export function agentName(agent: string): string {
  const browser = /(Firefox|Edg|Chrome|Safari)\//.exec(agent)?.[1];
  if (agent.startsWith('Mozilla/') && browser !== undefined) return browser === 'Edg' ? 'Edge' : browser;
  return agent.split(/[\s/]/)[0] ?? '';
}
