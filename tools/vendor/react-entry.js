// What static/vendor/react.js exports. By name: esbuild cannot list the names of a CommonJS package.
export {
  default,
  Fragment,
  StrictMode,
  createContext,
  createElement,
  memo,
  startTransition,
  useCallback,
  useContext,
  useDeferredValue,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
  useSyncExternalStore,
  useTransition,
  version,
} from "react";
export { createRoot } from "react-dom/client";
