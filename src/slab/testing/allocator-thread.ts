import { playThread } from '../../state/testing/scenario.js'
import { ALL_SCENARIOS } from './allocator-scenarios.js'

playThread(ALL_SCENARIOS)
